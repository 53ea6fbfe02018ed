//! The mode table: what each function of the state machine does in each mode. The methods of
//! [`Replay`](super::Replay) look their action up here, so the table is the behaviour and not a description of it.
//! docs/replay.md shows it; a test compares the two.

use super::ReplayMode;

/// What a function does in a mode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// True; nothing is logged.
    Pass,
    /// Logged, then true.
    LogAndPass,
    /// True, and consumed, when the log has it next, here; else false.
    PassIfNext,
    /// The host is asked; nothing is logged.
    AskHost,
    /// The host is asked, and its answer logged.
    AskHostAndLog,
    /// The log's answer, when it is next, here; else a divergence. The host is not asked.
    AnswerFromLog,
    /// As `AnswerFromLog`, but the last answer of that kind when no other is next.
    AnswerFromLogOrLast,
    /// Given back to the caller, who delivers it now.
    RunAtOnce,
    /// Waits for the flush point, is logged and delivered there, in order of arrival.
    Queue,
    /// Waits until the log names it.
    AwaitLog,
    /// Forgotten: the log brings its own.
    Drop,
    /// Nothing happens.
    Skip,
    /// Logged.
    Log,
    /// Compared with the log's; a divergence when they differ.
    Compare,
}

impl Action {
    /// The action in words, as docs/replay.md has it.
    pub const fn words(self) -> &'static str {
        match self {
            Action::Pass => "true",
            Action::LogAndPass => "log, true",
            Action::PassIfNext => "true and consume if next, else false",
            Action::AskHost => "ask the host",
            Action::AskHostAndLog => "ask the host, log",
            Action::AnswerFromLog => "the log's answer, else divergence",
            Action::AnswerFromLogOrLast => "the log's answer, else the last one",
            Action::RunAtOnce => "run at once",
            Action::Queue => "queue; log and deliver at the flush",
            Action::AwaitLog => "keep until the log names it",
            Action::Drop => "drop; the log brings its own",
            Action::Skip => "nothing",
            Action::Log => "log",
            Action::Compare => "compare, else divergence",
        }
    }
}

macro_rules! mode_table {
    ($($function:ident $name:literal: $none:ident, $record:ident, $play:ident;)*) => {
        /// What passes through the state machine: a row of the mode table each.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs, reason = "the names of docs/replay.md")]
        pub enum Function {
            $($function),*
        }

        impl Function {
            /// All rows, in the order of the table.
            pub const ALL: &'static [Function] = &[$(Function::$function),*];

            /// The name, as docs/replay.md has it.
            pub const fn name(self) -> &'static str {
                match self { $(Function::$function => $name),* }
            }

            /// What it does in a mode.
            pub const fn action(self, mode: ReplayMode) -> Action {
                match (self, mode) {
                    $(
                        (Function::$function, ReplayMode::None) => Action::$none,
                        (Function::$function, ReplayMode::Record) => Action::$record,
                        (Function::$function, ReplayMode::Play) => Action::$play,
                    )*
                }
            }
        }
    };
}

mode_table! {
    Interrupt "interrupt": Pass, LogAndPass, PassIfNext;
    Exception "exception": Pass, LogAndPass, PassIfNext;
    Clock "clock": AskHost, AskHostAndLog, AnswerFromLogOrLast;
    Random "random": AskHost, AskHostAndLog, AnswerFromLog;
    GuestShutdown "shutdown_request (guest)": Pass, LogAndPass, PassIfNext;
    HostShutdown "shutdown_request (host)": Pass, LogAndPass, Drop;
    Checkpoint "checkpoint": Pass, LogAndPass, PassIfNext;
    Bh "schedule_bh": RunAtOnce, Queue, AwaitLog;
    BhOneshot "schedule_bh_oneshot": RunAtOnce, Queue, AwaitLog;
    Input "input": RunAtOnce, Queue, Drop;
    InputSync "input_sync": RunAtOnce, Queue, Drop;
    Block "block": RunAtOnce, Queue, AwaitLog;
    CharRead "char_read": RunAtOnce, Queue, Drop;
    CharWrite "char_write": AskHost, AskHostAndLog, AnswerFromLog;
    CharReadAll "char_read_all": AskHost, AskHostAndLog, AnswerFromLog;
    NetPacket "net_packet (to the guest)": RunAtOnce, Queue, Drop;
    NetSend "net_packet (from the guest)": AskHost, AskHost, Skip;
    AudioOut "audio_out": AskHost, AskHostAndLog, AnswerFromLog;
    AudioIn "audio_in": AskHost, AskHostAndLog, AnswerFromLog;
    Digest "digest": Skip, Log, Compare;
    Snapshot "snapshot": Skip, Log, PassIfNext;
}

/// The table as Markdown, for docs/replay.md.
pub fn mode_table_markdown() -> String {
    let mut text = String::from("| function | none | record | play |\n|---|---|---|---|\n");
    for &function in Function::ALL {
        let words = |mode| function.action(mode).words();
        text += &format!(
            "| `{}` | {} | {} | {} |\n",
            function.name(),
            words(ReplayMode::None),
            words(ReplayMode::Record),
            words(ReplayMode::Play)
        );
    }
    text
}
