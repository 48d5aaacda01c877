// DmRequest of src/native/index.ts, for those beside the binding who take one.
#pragma once

#include <napi.h>

#include "convert.h"
#include "dm_ioctl.h"

namespace stratis {

// Main thread only; throws NativeError with EINVAL.
DmRequest ReadDmRequest(const Napi::Value& value, const ArgumentName& name);

}  // namespace stratis
