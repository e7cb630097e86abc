//! What the live tests are made with: the agent under test, servers, a web site with an
//! attacker's pages. What every alert must be is checked here;
//! what a certain alert must say, in the tests.

pub(crate) mod alert;
pub(crate) mod apache;
pub(crate) mod cgroup;
pub(crate) mod container;
pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod drops;
pub(crate) mod edge;
pub(crate) mod front;
pub(crate) mod golden;
pub(crate) mod http;
pub(crate) mod java;
pub(crate) mod nginx;
pub(crate) mod php_fpm;
pub(crate) mod pod;
pub(crate) mod process;
pub(crate) mod recording;
pub(crate) mod request;
pub(crate) mod root;
pub(crate) mod scene;
pub(crate) mod sensor;
pub(crate) mod site;
pub(crate) mod stage;
pub(crate) mod tmux;
pub(crate) mod tomcat;
pub(crate) mod wait;
