interface Frame {
  seq: number;
  step?: { started_at: string | null; ended_at: string | null };
}

/**
 * How long each change of a step took to a WebSocket client, in ms: from when the step began or ended by the run's own
 * clock to the frame's arrival. Frames of before the socket was open are left out.
 * @throws when a frame is missing or came twice.
 */
export function latenciesOf(
  arrivals: readonly { at: number; data: string | Buffer }[],
  openAt: number,
): number[] {
  return arrivals.flatMap(({ at, data }, index) => {
    const { seq, step } = JSON.parse(String(data)) as Frame; // a frame of our own API
    if (seq !== index + 1) throw new Error(`frame ${seq} came as number ${index + 1}`);
    const changed = step?.ended_at ?? step?.started_at;
    return changed && Date.parse(changed) > openAt ? [at - Date.parse(changed)] : [];
  });
}
