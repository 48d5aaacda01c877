// What a library says for the log while a job runs. It waits for the main thread to have a turn anyway, at the end of
// this or another job: nothing is started for it.
#pragma once

#include <napi.h>

#include <string>

namespace stratis {

struct LibraryMessage {
  const char* level;  // of src/native/index.ts, static
  std::string text;
};

// On any thread. Of messages that nobody took the latest are dropped.
void KeepMessage(LibraryMessage message);
// On the main thread: gives what was kept to whom onLibraryMessage names, if anybody.
void DeliverMessages(Napi::Env env);

}  // namespace stratis
