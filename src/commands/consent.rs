//! The question before a change: yes, no, or explain; only the typed name of the cluster is consent.

use crate::error::{Code, Error};
use crate::render::terminal::clean;
use crate::run::Interrupt;
use crate::ui::Ui;

/// Asks until the answer is clear.
///
/// # Errors
/// Nobody can answer, the answer is no, or somebody stopped the program.
pub async fn ask(
    ui: &Ui,
    interrupt: &Interrupt,
    yes: bool,
    what: &str,
    cluster: &str,
    explanation: &str,
) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !ui.interactive {
        return Err(Error::new(
            Code::ApprovalNeeded,
            format!("approval is needed, and there is no terminal to ask on: {what}"),
            "read the plan above, then run the command again with --yes",
        ));
    }
    loop {
        let answer = answer(interrupt, format!("{what} [yes/no/explain]")).await?;
        match answer.as_str() {
            "e" | "explain" => crate::render::complain(&format!("{explanation}\n")),
            "" => {}
            "y" | "yes" => break,
            name if name == cluster => return Ok(()),
            _ => return Err(refused(what)),
        }
    }
    let name = answer(interrupt, format!("Type the name of the cluster ({cluster}) to go ahead")).await?;
    if name == cluster { Ok(()) } else { Err(refused(what).because("the name of the cluster was not typed")) }
}

/// What to do after an action failed, as somebody at the terminal decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Take back what was done.
    Rollback,
    /// Leave it.
    Stop,
}

/// Asks whether to take back what was done. Whoever does not answer, or stops the program, leaves it as it is.
pub async fn ask_after_failure(interrupt: &Interrupt) -> AfterFailure {
    loop {
        let prompt = "Take back what was done (rollback), or leave it for now (stop)? [rollback/stop]";
        match answer(interrupt, prompt.to_owned()).await.as_deref() {
            Ok("rollback" | "r") => return AfterFailure::Rollback,
            Ok("stop" | "s") | Err(_) => return AfterFailure::Stop,
            Ok(_) => {}
        }
    }
}

fn refused(what: &str) -> Error {
    Error::new(Code::ApprovalNeeded, format!("the answer was no: {what}"), "nothing was changed")
}

/// One line from the terminal. Reading it blocks a thread of its own, so that Ctrl-C is heard meanwhile.
async fn answer(interrupt: &Interrupt, prompt: String) -> Result<String, Error> {
    let read = tokio::task::spawn_blocking(move || {
        dialoguer::Input::<String>::new().with_prompt(clean(&prompt)).allow_empty(true).interact_text()
    });
    let stopped =
        || Error::new(Code::Interrupted, "stopped before anything was changed", "run the command again");
    tokio::select! {
        () = interrupt.wait() => Err(stopped()),
        answer = read => match answer {
            Ok(Ok(text)) => Ok(text.trim().to_owned()),
            _ => Err(stopped()),
        },
    }
}
