// Child processes: started without a shell, fed, drained, waited for and, when they take too long, killed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "secret.h"
#include "unique_fd.h"

namespace stratis {

struct RunRequest {
  std::string file;
  std::vector<std::string> arguments;  // with argv[0]
  std::vector<std::string> environment;
  Secret input;                // it may be a passphrase
  bool hasInput = false;       // without: /dev/null
  int64_t timeoutMs = 600000;
  bool dieWithParent = true;
  bool secretOutput = false;  // a passphrase comes on standard output: see RunOutcome
  bool keyring = false;  // root's persistent keyring is linked to the child's session keyring
};

struct RunOutcome {
  bool exited = false;  // else ended by `signal`
  int status = 0;
  int signal = 0;
  std::string output;
  Secret secret;  // in place of `output` where that is secret
  std::string errors;
};

// Wakes every wait for a child when this process is about to end. Node joins the threads of its pool at its exit, so a
// wait for a long child would keep the process from ending.
class EndOfProcess {
 public:
  EndOfProcess();
  void Announce() const;
  int descriptor() const { return event_.get(); }

 private:
  UniqueFd event_;
};

// Blocks until the child has ended. Children that outlive the process's end (dieWithParent false) are left running
// then, the others killed; both cases fail with ECANCELED.
RunOutcome RunProgram(RunRequest& request, const EndOfProcess& end);

}  // namespace stratis
