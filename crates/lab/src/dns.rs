//! DNS: the recursive servers of a world.

mod answer;
mod fault;
mod records;
mod recursor;
mod sequence;
mod serve;
mod server;

pub(crate) use self::fault::FaultRule;
pub(crate) use self::records::{RecordLine, RecordName};
pub(crate) use self::recursor::Recursor;
pub(crate) use self::sequence::Phases;
pub(crate) use self::serve::serve;
pub(crate) use self::server::Server;
