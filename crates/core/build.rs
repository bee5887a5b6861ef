//! Names the groups of systems once, so that `sys/` can speak of them in one word.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let vendor = env::var("CARGO_CFG_TARGET_VENDOR").unwrap_or_default();
    alias("linux", matches!(system.as_str(), "linux" | "android"));
    alias("apple", vendor == "apple");
}

fn alias(name: &str, on: bool) {
    println!("cargo::rustc-check-cfg=cfg({name})");
    if on {
        println!("cargo::rustc-cfg={name}");
    }
}
