// cryptReencryptBegin and cryptReencryptRun of src/native/crypt.ts.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "crypt_reencrypt.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

constexpr const char* kBegin = "cryptReencryptBegin";
constexpr const char* kRun = "cryptReencryptRun";

// The runs of one environment, so that its end can stop them.
class Runs {
 public:
  void Add(std::atomic<bool>* stop) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stops_.insert(stop);
  }
  void Remove(std::atomic<bool>* stop) {
    // Told with the lock held: the one who waits may be the end of the process.
    const std::lock_guard<std::mutex> lock(mutex_);
    stops_.erase(stop);
    ended_.notify_all();
  }
  // Each ends with the piece that it is at; a piece that is cut off would have to be recovered.
  void StopAll() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (std::atomic<bool>* stop : stops_) *stop = true;
    ended_.wait(lock, [this] { return stops_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<std::atomic<bool>*> stops_;
};

// A re-encryption under way. It has a thread of its own, since it may take days, and the pool has few.
class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(Napi::Env env, ReencryptRequest request, const Napi::Function& onProgress, std::shared_ptr<Runs> runs)
      : request_(std::move(request)),
        runs_(std::move(runs)),
        deferred_(Napi::Promise::Deferred::New(env)),
        // Unlimited, so that no call waits; there is at most one of progress at a time.
        calls_(Napi::ThreadSafeFunction::New(env, onProgress, kRun, 0, 1)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }
  void Stop() { stop_ = true; }

  void Start() {
    runs_->Add(&stop_);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // Signals are for the main thread.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([self = shared_from_this()] { self->Body(); }).detach();
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      runs_->Remove(&stop_);
      calls_.Release();
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

 private:
  void Body() {
    std::exception_ptr failure;
    bool finished = false;
    try {
      finished = RunReencryption(request_, [this](uint64_t done, uint64_t total) { return Report(done, total); });
    } catch (...) {
      failure = std::current_exception();
    }
    // It fails when the environment has ended, and then nobody waits for the promise.
    (void)calls_.BlockingCall([self = shared_from_this(), finished, failure](Napi::Env env, const Napi::Function&) {
      self->Settle(env, finished, failure);
    });
    (void)calls_.Release();
    runs_->Remove(&stop_);
  }

  bool Report(uint64_t done, uint64_t total) {
    done_ = done;
    total_ = total;
    // JavaScript may be busy for longer than a piece takes: then it hears of the latest only.
    if (!reporting_.exchange(true)) {
      (void)calls_.BlockingCall([self = shared_from_this()](Napi::Env env, const Napi::Function& onProgress) {
        self->reporting_ = false;
        try {
          onProgress.Call({Napi::BigInt::New(env, self->done_.load()), Napi::BigInt::New(env, self->total_.load())});
        } catch (const Napi::Error& error) {
          // Same end as an exception in any other event handler: "uncaughtException".
          napi_fatal_exception(env, error.Value());
        }
      });
    }
    return !stop_;
  }

  void Settle(Napi::Env env, bool finished, const std::exception_ptr& failure) {
    if (failure != nullptr) {
      deferred_.Reject(ErrorFromException(env, kRun, failure).Value());
      return;
    }
    deferred_.Resolve(Napi::String::New(env, finished ? "finished" : "stopped"));
  }

  ReencryptRequest request_;
  std::shared_ptr<Runs> runs_;
  Napi::Promise::Deferred deferred_;
  Napi::ThreadSafeFunction calls_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> reporting_{false};
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> total_{0};
};

crypt_reencrypt_mode_info ToMode(const ObjectReader& options) {
  const std::string mode = options.Text("mode", 16);
  if (mode == "encrypt") return CRYPT_REENCRYPT_ENCRYPT;
  if (mode == "decrypt") return CRYPT_REENCRYPT_DECRYPT;
  if (mode != "reencrypt") options.Name("mode").Refuse("it is none of encrypt, reencrypt and decrypt");
  return CRYPT_REENCRYPT_REENCRYPT;
}

Napi::Value Begin(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), kBegin, [&] {
    const auto begin = std::make_shared<ReencryptBegin>();
    begin->request.Read(info[0], info[1], kBegin);
    const ObjectReader options(info[1], {kBegin, "options"});
    begin->mode = ToMode(options);
    begin->oldKeyslot = OptionalSlot(options, "oldKeyslot");
    begin->newKeyslot = OptionalSlot(options, "newKeyslot");
    begin->cipher = options.OptionalText("cipher", "aes", 32);
    begin->cipherMode = options.OptionalText("cipherMode", "xts-plain64", 32);
    begin->sectorSize = options.OptionalUint32("sectorSize", 512, 65536);
    begin->initializeOnly = options.OptionalBool("initializeOnly", false);
    return RunVoidJob(info.Env(), kBegin, [begin] { BeginReencryption(*begin); });
  });
}

Napi::Value StartRun(const Napi::CallbackInfo& info, const std::shared_ptr<Runs>& runs) {
  const Napi::Env env = info.Env();
  return Guarded(env, kRun, [&]() -> Napi::Value {
    ReencryptRequest request;
    request.Read(info[0], info[1], kRun);
    if (!info[2].IsFunction()) throw InvalidArgument(kRun, "onProgress", "it is not a function");
    const auto run = std::make_shared<Run>(env, std::move(request), info[2].As<Napi::Function>(), runs);
    Napi::Object object = Napi::Object::New(env);
    object.Set("ended", run->promise());
    auto stop = [run](const Napi::CallbackInfo&) { run->Stop(); };
    object.Set("stop", Napi::Function::New(env, stop, "stop"));
    run->Start();
    return object;
  });
}

}  // namespace

void InitCryptReencrypt(Napi::Env env, Napi::Object exports) {
  Guarded(env, kRun, [&] {
    exports.Set(kBegin, Napi::Function::New(env, Begin, kBegin));
    const auto runs = std::make_shared<Runs>();
    auto start = [runs](const Napi::CallbackInfo& info) { return StartRun(info, runs); };
    exports.Set(kRun, Napi::Function::New(env, start, kRun));
    // A thread that calls the library while the process takes itself apart would crash it.
    const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
    const Napi::Function stop = Napi::Function::New(env, [runs](const Napi::CallbackInfo&) { runs->StopAll(); });
    process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), stop});
  });
}

}  // namespace stratis
