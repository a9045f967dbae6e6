/** How a stream ends whose next frames are not kept any more: who connects again gets a fresh snapshot. */
export const pruned: [code: number, reason: string] = [
  1013,
  'what follows is not kept any more: connect again for a fresh snapshot',
];
