/** Options that concern the snapshot that a process starts from, or makes: not what its V8 is like. */
const OF_SNAPSHOTS = /^--(build-snapshot|snapshot-blob=.*)$/;

/** This process's options of Node that another one, which runs a script, shall have as well. */
export const nodeOptions = (): string[] => process.execArgv.filter((option) => !OF_SNAPSHOTS.test(option));
