// The few functions of libuv that the addon calls, which Node exports. node-api-headers brings no uv.h; libuv keeps
// these declarations and numbers stable throughout its major version 1, which is the one of every Node since 4.
#pragma once

#include <cstddef>

extern "C" {

struct uv_loop_s;
// Both opaque: the size comes from uv_handle_size at run time.
struct uv_handle_s;
struct uv_poll_s;

typedef void (*uv_poll_cb)(uv_poll_s* handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_s* handle);

size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_s* handle, void* data);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_close(uv_handle_s* handle, uv_close_cb callback);
int uv_poll_init(uv_loop_s* loop, uv_poll_s* handle, int fd);
int uv_poll_start(uv_poll_s* handle, int events, uv_poll_cb callback);
int uv_poll_stop(uv_poll_s* handle);

}  // extern "C"

namespace stratis {

// UV_POLL of uv_handle_type, UV_READABLE and UV_WRITABLE of uv_poll_event.
constexpr int kUvPollHandle = 8;
constexpr int kUvReadable = 1;
constexpr int kUvWritable = 2;

}  // namespace stratis
