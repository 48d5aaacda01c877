/** Something that a program of this folder needs and that this machine, or the network, does not give. */
export class NotRunError extends Error {
  override name = "NotRunError";
}

const NOT_RUN_STATUS = 77;

/** Ends with the status that `main` resolves to, or says that `what` could not be run, and why, and ends with 77. */
export function endWith(what: string, main: () => number | Promise<number>): void {
  void Promise.resolve()
    .then(main)
    .catch((error: unknown) => {
      if (!(error instanceof NotRunError)) throw error;
      console.log(`NOT RUN: ${what}. ${error.message}`);
      return NOT_RUN_STATUS;
    })
    .then((status) => {
      process.exitCode = status;
    });
}
