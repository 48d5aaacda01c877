#include "library_messages.h"

#include <mutex>
#include <utility>
#include <vector>

#include "convert.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

constexpr size_t kMostWaiting = 256;

struct Waiting {
  std::mutex mutex;
  std::vector<LibraryMessage> messages;
};

// Never destroyed: threads may still talk when the process ends.
Waiting& Kept() {
  static auto* waiting = new Waiting;
  return *waiting;
}

// Of one environment.
struct Listener {
  Napi::FunctionReference callback;
};

Napi::Value Listen(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "onLibraryMessage";
  return Guarded(info.Env(), kName, [&]() -> Napi::Value {
    if (!info[0].IsFunction()) throw InvalidArgument(kName, "listener", "it is not a function");
    info.Env().GetInstanceData<Listener>()->callback = Napi::Persistent(info[0].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

}  // namespace

void KeepMessage(LibraryMessage message) {
  Waiting& kept = Kept();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  if (kept.messages.size() < kMostWaiting) kept.messages.push_back(std::move(message));
}

void DeliverMessages(Napi::Env env) {
  const Listener* const listener = env.GetInstanceData<Listener>();
  if (listener == nullptr || listener->callback.IsEmpty()) return;
  std::vector<LibraryMessage> messages;
  {
    Waiting& kept = Kept();
    const std::lock_guard<std::mutex> lock(kept.mutex);
    messages.swap(kept.messages);
  }
  for (const LibraryMessage& message : messages) {
    try {
      listener->callback.Call({Napi::String::New(env, message.level), Napi::String::New(env, message.text)});
    } catch (const Napi::Error& error) {
      // Same end as an exception in any other event handler: "uncaughtException".
      napi_fatal_exception(env, error.Value());
    }
  }
}

void InitLibraryMessages(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Listener);
  exports.Set("onLibraryMessage", Napi::Function::New(env, Listen, "onLibraryMessage"));
}

}  // namespace stratis
