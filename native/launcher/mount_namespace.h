#pragma once

namespace stratis::launcher {

// Leaves the mount namespace of process 1, if this process is in it, for a copy of its own. Propagation stays as it is:
// the copies remain peers, so the daemon sees what the host mounts and unmounts, which it needs to grow mounted
// filesystems and to destroy unmounted ones. Ends the program when that fails. Only with a single thread.
void LeaveRootMountNamespace();

}  // namespace stratis::launcher
