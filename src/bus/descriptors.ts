/** Descriptors that came over a bus: whoever holds one closes it. */
import { native } from "../native";

export const closeDescriptor = (fd: number): void => {
  native().closeDescriptor(fd);
};
