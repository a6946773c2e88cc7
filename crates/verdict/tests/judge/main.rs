//! The judge's verdicts on facts told in words: what every reason needs, and what comes near it.

mod address;
mod cache;
mod case;
mod command;
mod connect;
mod dates;
mod dns;
mod facts;
mod fallback;
mod flapping;
mod mixed;
mod names;
mod order;
mod paste;
mod refusal;
mod resolvers;
mod servers;
mod service;
mod summary;
mod surroundings;
mod tls;
mod words;
mod zone;
