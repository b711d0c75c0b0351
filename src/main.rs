//! The command line of ecr-fix: reads the arguments, runs one command, ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ecr_fix::cli::main()
}
