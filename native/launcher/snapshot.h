#pragma once

#include <optional>
#include <string>
#include <vector>

namespace stratis::launcher {

// A snapshot is the heap of a Node that has loaded the daemon's script. To start from it takes a third of the time that
// it takes to start Node and to compile the script. The daemon makes it (src/daemon/snapshot.ts) in the folder that
// STRATIS_SNAPSHOTS names. It is of use only to the very programs and files that it was made by: `FILE.parts` says which.

// Where the snapshot is, or would be; nothing when there shall be none. Removes STRATIS_SNAPSHOT from the environment,
// or sets it to this path, for the daemon.
std::optional<std::string> SnapshotFile();

// The path to start from, nothing unless there is a snapshot of `script` made by `node` with `options`, and all that it
// depends on is as it was. The snapshot is moved there, and the daemon moves it back when it serves: one that lets the
// daemon fail is not started from again.
std::optional<std::string> TakeSnapshot(const std::string& file, const std::string& node, const std::string& script,
                                        const std::vector<std::string>& options);

}  // namespace stratis::launcher
