// One way for every call that may block: a job on libuv's thread pool whose end settles a promise.
#pragma once

#include <napi.h>

#include <cerrno>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "errors.h"
#include "library_messages.h"

namespace stratis {

// The JavaScript error for whatever a job or a conversion threw. `name` stands for the call when the exception
// itself names none. Main thread only.
inline Napi::Error ErrorFromException(Napi::Env env, const std::string& name, std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const Napi::Error& error) {
    return error;
  } catch (const NativeError& error) {
    return error.ToJs(env);
  } catch (const std::bad_alloc&) {
    return NativeError(ENOMEM, name, "memory").ToJs(env);
  } catch (const std::exception& error) {
    return NativeError(EIO, name, "the addon", error.what()).ToJs(env);
  }
}

// Runs `job` on the thread pool (it must not touch JavaScript values) and resolves with what `convert` makes of its
// result on the main thread. What either throws becomes the rejection.
template <typename Result>
class PromiseWorker final : public Napi::AsyncWorker {
 public:
  using Job = std::function<Result()>;
  using Convert = std::function<Napi::Value(Napi::Env, Result&)>;

  static Napi::Promise Start(Napi::Env env, const char* name, Job job, Convert convert) {
    auto* worker = new PromiseWorker(env, name, std::move(job), std::move(convert));
    Napi::Promise promise = worker->deferred_.Promise();
    // From here on the worker deletes itself, when it has settled the promise.
    worker->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      result_.emplace(job_());
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void OnOK() override {
    Napi::Env env = Env();
    Napi::HandleScope scope(env);
    DeliverMessages(env);
    if (failure_ == nullptr) {
      try {
        deferred_.Resolve(convert_(env, *result_));
        return;
      } catch (...) {
        failure_ = std::current_exception();
      }
    }
    deferred_.Reject(ErrorFromException(env, name_, failure_).Value());
  }

 private:
  PromiseWorker(Napi::Env env, const char* name, Job job, Convert convert)
      : Napi::AsyncWorker(env, name),
        name_(name),
        deferred_(Napi::Promise::Deferred::New(env)),
        job_(std::move(job)),
        convert_(std::move(convert)) {}

  std::string name_;
  Napi::Promise::Deferred deferred_;
  Job job_;
  Convert convert_;
  std::optional<Result> result_;
  std::exception_ptr failure_;
};

// For jobs without a result: resolves with undefined.
inline Napi::Promise RunVoidJob(Napi::Env env, const char* name, std::function<void()> job) {
  return PromiseWorker<bool>::Start(
      env, name,
      [job = std::move(job)] {
        job();
        return true;
      },
      [](Napi::Env env, bool&) { return env.Undefined(); });
}

template <typename Result>
Napi::Promise RunJob(Napi::Env env, const char* name, std::function<Result()> job,
                     std::function<Napi::Value(Napi::Env, Result&)> convert) {
  return PromiseWorker<Result>::Start(env, name, std::move(job), std::move(convert));
}

// Body of an asynchronous function of the addon: `start` reads the arguments and returns the promise of a job; what
// it throws (bad arguments) becomes a rejected promise, so that callers see one kind of failure.
template <typename Start>
Napi::Value Promised(Napi::Env env, const char* name, Start start) {
  try {
    return start();
  } catch (...) {
    Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(ErrorFromException(env, name, std::current_exception()).Value());
    return deferred.Promise();
  }
}

// Body of a synchronous function: what `body` throws becomes a JavaScript exception.
template <typename Body>
auto Guarded(Napi::Env env, const char* name, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (...) {
    throw ErrorFromException(env, name, std::current_exception());
  }
}

}  // namespace stratis
