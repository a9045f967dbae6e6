/** Seals texts for the place they are kept in: what was sealed for one row cannot be opened as another's. */
export interface Envelope {
  seal(text: string, place: string): Buffer;
  /** @throws Error when it was changed, was sealed for another place, or its key is not known. */
  open(sealed: Buffer, place: string): string;
}
