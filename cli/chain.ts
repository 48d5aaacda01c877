import { inspect } from "node:util";

/** The error and its causes with their stacks, outermost first. */
export function chainText(error: unknown): string {
  const parts: string[] = [];
  for (let inner = error; inner !== undefined; inner = inner instanceof Error ? inner.cause : undefined)
    parts.push(inner instanceof Error ? (inner.stack ?? inner.message) : inspect(inner));
  return `${parts.join("\ncaused by: ")}\n`;
}
