{
  # The addon alone, for those who build with node-gyp; CMakeLists.txt also builds the programs.
  "targets": [
    {
      "target_name": "stratis_native",
      "sources": ["<!@(node -p \"require('node:fs').readdirSync('native').filter((f) => f.endsWith('.cc')).map((f) => 'native/' + f).join(' ')\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++14", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++17",
        "-fexceptions",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fvisibility=hidden",
        "-isystem", "<(module_root_dir)/node_modules/node-api-headers/include",
        "-isystem", "<(module_root_dir)/node_modules/node-addon-api",
        "<!@(pkg-config --cflags libudev blkid libcryptsetup)"
      ],
      "libraries": ["<!@(pkg-config --libs libudev blkid)", "-ldl"]
    }
  ]
}
