// Electron, but for its binary: loaded before Node (LD_PRELOAD), it stands between the binding and the program that loads it.
// Whoever asks for one of the two functions that make external buffers gets one that refuses, as V8's memory cage makes Electron
// refuse. Loaded as an addon it is its own control: it exports the status that an external buffer gives it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { NO_EXTERNAL_BUFFERS_ALLOWED = 22 };

static atomic_int asked, refused;

static int refuse(void) {
  refused++;
  return NO_EXTERNAL_BUFFERS_ALLOWED;
}

static void *next_dlsym(void) {
  // Whichever version of it this processor's glibc began with; the newer one is the same function.
  for (const char **version = (const char *[]){"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34", NULL}; *version; version++) {
    void *found = dlvsym(RTLD_NEXT, "dlsym", *version);
    if (found) return found;
  }
  return NULL;
}

// The program's own functions come before those of any library, so they cannot be replaced; the way to them can.
void *dlsym(void *handle, const char *name) {
  if (!strcmp(name, "napi_create_external_arraybuffer") || !strcmp(name, "napi_create_external_buffer")) {
    asked++;
    return (void *)refuse;
  }
  return ((void *(*)(void *, const char *))next_dlsym())(handle, name);
}

__attribute__((destructor)) static void report(void) {
  fprintf(stderr, "asked for %d, refused %d\n", asked, refused);
}

void *napi_register_module_v1(void *env, void *exports) {
  int (*create_external)(void *, void *, size_t, void *, void *, void **) = dlsym(RTLD_DEFAULT, "napi_create_external_arraybuffer");
  int (*create_number)(void *, int, void **) = dlsym(RTLD_DEFAULT, "napi_create_int32");
  static char data[8];
  void *result = exports;
  create_number(env, create_external(env, data, sizeof data, NULL, NULL, &result), &result);
  return result;
}
