/** What Ctrl-C does: a command is broken off, unless it is one that goes on until it is. */

const FAILURE = 1;
let isNormalEnd = false;

/** From now on an interrupt is the end that the user was told of. */
export function endByInterrupt(): void {
  isNormalEnd = true;
}

/** Ends the process. */
export function interrupted(): never {
  if (isNormalEnd) process.exit(0);
  process.stderr.write("Received KeyboardInterrupt\n");
  process.exit(FAILURE);
}
