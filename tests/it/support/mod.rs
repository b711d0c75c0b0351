//! What the tests stand on: an AWS to talk to, a cluster that is broken, the program, and something in between that
//! makes trouble.

pub(crate) mod case;
pub(crate) mod emulator;
pub(crate) mod faults;
pub(crate) mod kubernetes;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod request;
pub(crate) mod scenario;

pub(crate) use case::{Case, read_json, runs_in, sealed};
pub(crate) use emulator::{Emulator, test_python};
pub(crate) use faults::{Fault, Times};
pub(crate) use kubernetes::KubernetesApi;
pub(crate) use program::{Outcome, Program, Running};
pub(crate) use proxy::Proxy;
pub(crate) use request::{Request, writes};
pub(crate) use scenario::{Scenario, assert_same_state, emulated_state, python, somebody_else};
