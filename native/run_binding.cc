// run() as JavaScript sees it.

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "convert.h"
#include "module.h"
#include "promise.h"
#include "run.h"
#include "secret_handle.h"

namespace stratis {

namespace {

constexpr const char* kName = "run";
constexpr uint32_t kMostArguments = 65536;

std::string SignalName(int number) {
#if __GLIBC_PREREQ(2, 32)
  const char* name = sigabbrev_np(number);
  if (name != nullptr) return std::string("SIG") + name;
#endif
  return std::to_string(number);
}

Napi::Value OutcomeToJs(Napi::Env env, RunOutcome& outcome) {
  Napi::Object object = Napi::Object::New(env);
  if (outcome.exited) {
    object.Set("status", outcome.status);
    object.Set("signal", env.Null());
  } else {
    object.Set("status", env.Null());
    object.Set("signal", SignalName(outcome.signal));
  }
  object.Set("stdout", outcome.output);
  object.Set("stderr", outcome.errors);
  return object;
}

Napi::Value SecretOutcomeToJs(Napi::Env env, RunOutcome& outcome) {
  Napi::Object object = OutcomeToJs(env, outcome).As<Napi::Object>();
  object.Set("secret", SecretToJs(env, std::make_shared<const Secret>(std::move(outcome.secret))));
  return object;
}

// The search path of this process, so that a child finds its own helpers where this process was told to look.
std::vector<std::string> DefaultEnvironment() {
  const char* path = std::getenv("PATH");
  return {std::string("PATH=") + (path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path), "LC_ALL=C"};
}

void ReadOptions(const Napi::Value& value, RunRequest& request) {
  const ObjectReader options(value, {kName, "options"});
  if (options.Has("stdin")) {
    const auto [bytes, length] = ToBytes(options.Get("stdin"), options.Name("stdin"));
    request.input = Secret(bytes, length);
    request.hasInput = true;
  }
  if (options.Has("stdinLine")) {
    if (request.hasInput) options.Name("stdinLine").Refuse("there is stdin too");
    const std::shared_ptr<const Secret> line = ToSecret(options.Get("stdinLine"), options.Name("stdinLine"));
    request.input = Secret(line->size() + 1);
    std::copy_n(line->data(), line->size(), request.input.data());
    request.input.data()[line->size()] = '\n';
    request.hasInput = true;
  }
  request.timeoutMs = options.OptionalUint32("timeoutMs", static_cast<uint32_t>(request.timeoutMs), INT32_MAX);
  if (request.timeoutMs == 0) options.Name("timeoutMs").Refuse("it is zero");
  request.dieWithParent = options.OptionalBool("dieWithParent", request.dieWithParent);
  request.secretOutput = options.OptionalBool("secretOutput", request.secretOutput);
  request.keyring = options.OptionalBool("keyring", request.keyring);
  if (!options.Has("environment")) return;
  request.environment = options.OptionalTexts("environment", kMostArguments);
  for (uint32_t i = 0; i < request.environment.size(); ++i) {
    const size_t sign = request.environment[i].find('=');
    if (sign == std::string::npos || sign == 0) {
      options.Name("environment").Element(i).Refuse("it is not of the form NAME=value");
    }
  }
}

std::shared_ptr<RunRequest> ReadRequest(const Napi::CallbackInfo& info) {
  auto request = std::make_shared<RunRequest>();
  const ArgumentName fileName{kName, "file"};
  request->file = ToText(info[0], fileName);
  if (request->file.empty() || request->file[0] != '/') fileName.Refuse("it is not an absolute path");
  request->arguments.push_back(request->file);
  const ArgumentName argumentsName{kName, "args"};
  const Napi::Array words = ToArray(info[1], argumentsName, kMostArguments);
  for (uint32_t i = 0; i < words.Length(); ++i) {
    request->arguments.push_back(ToText(words.Get(i), argumentsName.Element(i)));
  }
  request->environment = DefaultEnvironment();
  if (!info[2].IsUndefined()) ReadOptions(info[2], *request);
  return request;
}

Napi::Value Run(const Napi::CallbackInfo& info, const std::shared_ptr<EndOfProcess>& end) {
  return Promised(info.Env(), kName, [&] {
    const std::shared_ptr<RunRequest> request = ReadRequest(info);
    return RunJob<RunOutcome>(
        info.Env(), kName, [request, end] { return RunProgram(*request, *end); },
        request->secretOutput ? SecretOutcomeToJs : OutcomeToJs);
  });
}

}  // namespace

void InitRun(Napi::Env env, Napi::Object exports) {
  Guarded(env, kName, [&] {
    const auto end = std::make_shared<EndOfProcess>();
    exports.Set("run", Napi::Function::New(env, [end](const Napi::CallbackInfo& info) { return Run(info, end); }, kName));
    // process.exit() joins the pool's threads and runs no cleanup hook of the environment before; its "exit" event is
    // the last moment to wake them.
    const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
    const Napi::Function announce = Napi::Function::New(env, [end](const Napi::CallbackInfo& info) {
      Guarded(info.Env(), kName, [&] { end->Announce(); });
    });
    process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), announce});
  });
}

}  // namespace stratis
