//! What napi asks of the linker on each system.

fn main() {
    napi_build::setup();
}
