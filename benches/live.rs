//! A live diagnosis over a slow network: how many requests, and how many of them one after the other.
//!
//! `cargo bench --bench live` builds a cluster with 3 node groups, 1 Fargate profile, 3 roles and 4 repositories in the emulator
//! (`./test --setup` installs it), runs the program through a proxy that holds every request back, and prints
//! the wall time. The emulator answers one request after the other and takes its own time, so round trips are computed from
//! the difference that the delay makes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "what the tests stand on is more than what a benchmark needs"
)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use support::{Case, Fault, Times};

fn main() {
    let case = Case::build("healthy-private");
    let arguments = case.grown();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = |delay: u64| -> Duration {
        case.proxy.calm();
        case.proxy.rule("*", Times::Always, Fault::Delay(Duration::from_millis(delay)));
        let times = (0..5).map(|_| {
            case.proxy.forget();
            let start = Instant::now();
            case.live("plan", &arguments).expect(0);
            start.elapsed()
        });
        let mut times: Vec<Duration> = times.collect();
        times.sort();
        times[2]
    };
    let without = run(0);
    println!("{} requests", case.proxy.count("*"));
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    case.proxy.requests().iter().for_each(|request| *calls.entry(request.name()).or_default() += 1);
    calls.iter().for_each(|(call, count)| println!("  {count:>3} {call}"));
    println!("  no delay: {:.2} s, the time of the emulator", without.as_secs_f64());
    for delay in [100, 1000] {
        let with = run(delay);
        let trips = (with.saturating_sub(without)).as_secs_f64() / (delay as f64 / 1000.0);
        println!(
            "{delay:>5} ms more: {:.2} s, {trips:.1} round trips one after the other",
            with.as_secs_f64()
        );
    }
}
