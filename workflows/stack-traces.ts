/**
 * Runs without stack traces: Temporal's SDK takes one for each promise, maps it to the sources, and shows it to who
 * asks for a run's "call stack". For an interpreter of documents that says nothing (the run's steps say where it is)
 * and took a third of its time. An error of our own keeps its message; a replay of its history with
 * `bundleWorkflows({ stackTraces: true })` shows where it came from.
 */
Error.stackTraceLimit = 0;
