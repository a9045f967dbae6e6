/** An error as the specification describes it (dsl-reference, "Error"). */
export interface ErrorObject {
  type: string;
  status: number;
  title?: string;
  detail?: string;
  instance?: string;
}

/** A task that faulted. */
export class Fault extends Error {
  readonly error: ErrorObject;
  constructor(error: ErrorObject) {
    super(error.detail ?? error.title ?? error.type);
    this.error = error;
  }
}

/** What a document does is not decided by the document, such as which of two branches is first. */
export class Undetermined extends Error {}

export const standardFault = (type: string, status: number, detail: string): ErrorObject => ({
  type: `https://open-workflow-specification.org/dsl/errors/types/${type}`,
  status,
  detail,
});
