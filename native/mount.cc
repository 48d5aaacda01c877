#include <sys/mount.h>
#include <sys/statfs.h>

#include <cerrno>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

Napi::Value Mount(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), "mount", [&] {
    const ObjectReader options(info[0], {"mount", "options"});
    const std::string source = options.Text("source");
    const std::string target = options.Text("target");
    const std::string type = options.Text("type");
    const std::string data = options.OptionalText("data", "");
    const unsigned long flags = options.OptionalBool("readOnly", false) ? MS_RDONLY : 0;
    return RunVoidJob(info.Env(), "mount", [source, target, type, data, flags] {
      const char* text = data.empty() ? nullptr : data.c_str();
      if (mount(source.c_str(), target.c_str(), type.c_str(), flags, text) == 0) return;
      throw NativeError(errno, "mount", target, type + " from " + source);
    });
  });
}

Napi::Value Unmount(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), "unmount", [&] {
    const std::string target = ToText(info[0], {"unmount", "target"});
    return RunVoidJob(info.Env(), "unmount", [target] {
      if (umount2(target.c_str(), 0) != 0) throw NativeError(errno, "umount2", target);
    });
  });
}

Napi::Value MakeMountSlave(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), "makeMountSlave", [&] {
    const std::string target = ToText(info[0], {"makeMountSlave", "target"});
    return RunVoidJob(info.Env(), "makeMountSlave", [target] {
      if (mount(nullptr, target.c_str(), nullptr, MS_SLAVE | MS_REC, nullptr) == 0) return;
      throw NativeError(errno, "mount", target, "making it a slave, with all below it");
    });
  });
}

Napi::Value StatFsToJs(Napi::Env env, struct statfs& status) {
  Napi::Object object = Napi::Object::New(env);
  // Magic numbers have 32 bits; the field is signed on some architectures and must not be extended by its sign.
  object.Set("type", Napi::BigInt::New(env, uint64_t{static_cast<uint32_t>(status.f_type)}));
  // Old file systems leave f_frsize at zero: their counts are in f_bsize.
  const auto blockSize = status.f_frsize != 0 ? status.f_frsize : status.f_bsize;
  object.Set("blockSize", Napi::BigInt::New(env, static_cast<uint64_t>(blockSize)));
  object.Set("blocks", Napi::BigInt::New(env, static_cast<uint64_t>(status.f_blocks)));
  object.Set("blocksFree", Napi::BigInt::New(env, static_cast<uint64_t>(status.f_bfree)));
  object.Set("blocksAvailable", Napi::BigInt::New(env, static_cast<uint64_t>(status.f_bavail)));
  return object;
}

Napi::Value StatFileSystem(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), "statFs", [&] {
    const std::string path = ToText(info[0], {"statFs", "path"});
    return RunJob<struct statfs>(
        info.Env(), "statFs",
        [path] {
          struct statfs status;
          if (statfs(path.c_str(), &status) != 0) throw NativeError(errno, "statfs", path);
          return status;
        },
        StatFsToJs);
  });
}

}  // namespace

void InitMount(Napi::Env env, Napi::Object exports) {
  exports.Set("mount", Napi::Function::New(env, Mount, "mount"));
  exports.Set("unmount", Napi::Function::New(env, Unmount, "unmount"));
  exports.Set("makeMountSlave", Napi::Function::New(env, MakeMountSlave, "makeMountSlave"));
  exports.Set("statFs", Napi::Function::New(env, StatFileSystem, "statFs"));
}

}  // namespace stratis
