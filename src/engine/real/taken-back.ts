/** What is left of a change of device-mapper devices that failed. */
import { isNativeError } from "../../native";
import { UndoFailedError } from "../errors";

/** Whether everything is as it was before. An error of something else has changed nothing. */
export function wasTakenBack(error: unknown): boolean {
  if (error instanceof UndoFailedError) return false;
  if (isNativeError(error) && (error.undoErrors ?? []).length > 0) return false;
  return !(error instanceof Error) || error.cause === undefined || wasTakenBack(error.cause);
}
