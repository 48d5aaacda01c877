/** The version of stratisd whose interfaces this daemon has; clients compare it with what they need. */
export const VERSION = "3.9.2";
