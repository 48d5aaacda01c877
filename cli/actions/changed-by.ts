/** Results of methods. */
import { asFlag, asPair } from "../values";

/** The first member of a result such as (bs): whether anything was changed. */
export const changedBy = (result: unknown): boolean => asFlag(asPair(result)[0]);
