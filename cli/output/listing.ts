/** The actions of commands that list things. */
import type { Action, Context } from "../context";
import { load } from "../load";

type Watch = typeof import("./watch");

/** `textOf` gives the whole output, as things are when it is called. */
export const listing =
  (textOf: (context: Context) => Promise<string>): Action =>
  async (context) => {
    if (context.values.flag("--watch")) await (load("./output/watch") as Watch).watch(context, textOf);
    else context.print(await textOf(context));
  };
