/**
 * Watches a run in the terminal until it ends: `npm run watch -- <run id>`.
 * Reads VAREON (the API's address) and TOKEN (an access or API token) from the environment.
 */
const [runId] = process.argv.slice(2);
const { VAREON: api = 'http://localhost:8000', TOKEN: token } = process.env;
if (!runId || !token) {
  console.error('Usage: TOKEN=… npm run watch -- <run id>');
  process.exit(2);
}

const answer = await fetch(`${api}/api/ws-ticket`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${token}` },
});
if (!answer.ok) {
  console.error(`No ticket for the WebSocket: ${await answer.text()}`);
  process.exit(1);
}
const { ticket } = (await answer.json()) as { ticket: string }; // see /docs
// From the first frame on: a run that has ended meanwhile plays from its beginning.
const socket = new WebSocket(
  `${api.replace(/^http/, 'ws')}/ws/neosyntis/runs/${runId}?after=0&ticket=${ticket}`,
);

socket.addEventListener('message', ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.type === 'step') {
    const { path, iteration, status, error } = frame.step;
    const round = iteration.length > 0 ? ` [${iteration.join('.')}]` : '';
    console.log(`${frame.seq}\t${status.padEnd(11)}${path}${round}${error ? `: ${error.detail}` : ''}`);
  }
  if (frame.type === 'log') console.log(`${frame.seq}\t${frame.stream.padEnd(11)}${frame.text.trimEnd()}`);
  if (frame.type === 'run') {
    console.log(`${frame.seq}\t${frame.run.status.padEnd(11)}run ${runId}`);
    if (['completed', 'failed', 'cancelled'].includes(frame.run.status)) socket.close();
  }
});
socket.addEventListener('error', () => {
  console.error(`The run cannot be watched at ${api}; does it exist, and is it yours?`);
  process.exitCode = 1;
});
