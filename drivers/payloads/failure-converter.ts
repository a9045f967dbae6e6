import { DefaultFailureConverter } from '@temporalio/common';

/** Messages and stack traces of failures go into a payload, which the codec seals. The SDK asks for this name. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
