/** A later order for the same thing came before. */
export class StaleOrder extends Error {
  constructor(id: string, epoch: number, known: number) {
    super(`order ${epoch} for ${id} is older than order ${known}`);
    this.name = 'StaleOrder';
  }
}
