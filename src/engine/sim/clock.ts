/** Times as Stratis records them. */

export const nowInWholeSeconds = (): Date => new Date(Math.floor(Date.now() / 1000) * 1000);
