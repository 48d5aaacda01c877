/** Runs a benchmark as a program: what it fails with is told in a line, and is its exit status. */
export function runProgram(main: () => Promise<void>): void {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
