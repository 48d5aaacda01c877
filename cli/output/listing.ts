/** The actions of commands that list things. */
import type { Action, Context } from "../context";

/** `textOf` gives the whole output, as things are when it is called. */
export const listing =
  (textOf: (context: Context) => Promise<string>): Action =>
  async (context) => {
    context.print(await textOf(context));
  };
