/** What a run of the command has of the world around it. */

export interface Output {
  write(text: string): void;
  /** Cells in a line, for help texts; undefined when it is no terminal. */
  readonly columns?: number | undefined;
  readonly isTTY?: boolean | undefined;
}

export interface Io {
  readonly stdin?: { readonly isTTY?: boolean | undefined };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
}
