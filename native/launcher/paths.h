#pragma once

#include <sys/types.h>

#include <string>

namespace stratis::launcher {

// Ends the program with the status of a start-up error; `text` says what failed on what.
[[noreturn]] void Fail(const std::string& text);

// The same, with the text of `error` (an errno) behind it.
[[noreturn]] void FailErrno(const std::string& text, int error);

// Whether there is something of this type (S_IFDIR, S_IFREG) that nobody but this user, or root, can change: what is
// run, and what leads to it, has to be.
bool IsOwn(const std::string& path, mode_t type);

// The daemon's script, found from the place of this program: it is <root>/build/Release/PROGRAM, the script
// <root>/dist/bin/PROGRAM.js. Links to this program are followed.
std::string MainScript();

// Node's executable: $STRATIS_NODE, else "node" on $PATH, else the usual places.
std::string FindNode();

// A path with the program's name as its last component that leads to `node`. The kernel names a process after the last
// component of the path that was executed, and this is the name by which pgrep, systemd units and test suites know the
// daemon. Sets STRATIS_LAUNCH_DIR when the link is in a temporary folder, which the daemon then has to remove.
std::string NamedLink(const std::string& node);

}  // namespace stratis::launcher
