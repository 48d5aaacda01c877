/** The date in the head of the manual pages: when their text was last gone through. */
export const PAGE_DATE = "2026-11-28";
