import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { verifyEmail } from '../../db/auth/verification.ts';
import { EmailToken, Verification } from '../../domain/auth/sessions.ts';
import { ok, type Reply, type Route, route } from '../http/route.ts';
import { audited } from './audited.ts';
import type { AuthDeps } from './deps.ts';
import type { AuthLimits } from './limits.ts';

/** Where the link in the mail leads: programs that look at links must not use the token up, so a button posts it. */
export function createVerifyEmailRoutes(deps: AuthDeps & { limits: AuthLimits }): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/verify-email',
      access: 'public',
      summary: 'The page behind the link in a verification mail',
      query: Type.Object({ token: EmailToken }, { additionalProperties: false }),
      answers: { 200: { description: 'A page with a button that posts the token', type: 'text/html' } },
      handler: async ({ query }) =>
        page(
          'Confirm your e-mail address',
          `<form method="post" action="/api/verify-email"><input type="hidden" name="token" value="${query.token}">` +
            '<button>This address is mine</button></form>',
        ),
    }),
    route({
      method: 'POST',
      path: '/api/verify-email',
      access: 'public',
      summary: 'Verify an e-mail address',
      body: Verification,
      form: true,
      answers: {
        200: {
          description: 'Verified; a browser gets a page that says so',
          schema: Type.Object({ verified: Type.Literal(true) }),
        },
      },
      errors: ['rate_limited'],
      audit: false,
      handler: ({ body, request }) =>
        audited(deps.audit, 'POST /api/verify-email', request, async () => {
          await deps.limits.once('verify', request.ip);
          const actor = await verifyEmail(deps.database, body.token);
          deps.authenticator.forget();
          const wantsPage = request.header('Accept').includes('text/html');
          const reply = wantsPage ? page('Your e-mail address is verified', '') : ok({ verified: true });
          return { reply, actor };
        }),
    }),
  ];
}

const STYLE =
  'body{font:1rem/1.5 system-ui,sans-serif;margin:15vh auto;max-width:30rem;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}';

const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param html must hold nothing that was not checked to be harmless in HTML. */
const page = (title: string, html: string): Reply => ({
  status: 200,
  headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': contentSecurityPolicy },
  body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style><h1>${title}</h1>${html}</html>`,
});
