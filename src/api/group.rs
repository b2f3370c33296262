//! Groups (分组), which tags have replaced: for accounts that still have them.

use serde::{Deserialize, Serialize};

use crate::api::endpoint::{Done, endpoints};
use crate::api::request;
use crate::id::OpenId;

/// Characters of the longest name of a group.
pub const MAX_NAME_CHARACTERS: usize = 30;

/// Users that one call moves at most.
pub const MAX_USERS: usize = 50;

endpoints! {
    CreateGroup => CreatedGroup {
        call: Post "/cgi-bin/groups/create",
        page: "创建分组",
        send: json,
        check: |request: &CreateGroup| request::characters("group.name", &request.group.name, MAX_NAME_CHARACTERS),
        quota: "tag_create",
        repeat: Harmful,
        codes: [40051, 45017, 45018],
        limits: "name: 1 to 30 characters",
    }
    ListGroups => Groups {
        call: Get "/cgi-bin/groups/get",
        page: "查询所有分组",
        send: nothing,
        quota: "tag_list",
    }
    GroupOfUser => GroupId {
        call: Post "/cgi-bin/groups/getid",
        page: "查询用户所在分组",
        send: json,
        check: |request: &GroupOfUser| request::given("openid", request.openid.as_str()),
        codes: [40003],
    }
    RenameGroup => Done {
        call: Post "/cgi-bin/groups/update",
        page: "修改分组名",
        send: json,
        check: |request: &RenameGroup| request::characters("group.name", &request.group.name, MAX_NAME_CHARACTERS),
        quota: "tag_update",
        codes: [40050, 40051, 45016, 45017],
        limits: "name: 1 to 30 characters",
    }
    MoveUser => Done {
        call: Post "/cgi-bin/groups/members/update",
        page: "移动用户分组",
        send: json,
        check: |request: &MoveUser| request::given("openid", request.openid.as_str()),
        quota: "move_user",
        codes: [40003, 40050],
    }
    MoveUsers => Done {
        call: Post "/cgi-bin/groups/members/batchupdate",
        page: "批量移动用户分组",
        send: json,
        check: |request: &MoveUsers| request::members("openid_list", request.openid_list.len(), 1, MAX_USERS),
        quota: "move_user",
        codes: [40003, 40050],
        limits: "openid_list: 1 to 50",
    }
    DeleteGroup => Done {
        call: Post "/cgi-bin/groups/delete",
        page: "删除分组",
        send: json,
        codes: [40050, 45016],
    }
}

/// Makes a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateGroup {
    group: Named,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    name: String,
}

impl CreateGroup {
    /// A group of this name.
    pub fn new(name: impl Into<String>) -> Self {
        let (id, name) = (None, name.into());
        Self {
            group: Named { id, name },
        }
    }
}

/// The group that was made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct CreatedGroup {
    /// It.
    pub group: Group,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Group {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// How many users are in it; of a new one the platform does not say.
    #[serde(default)]
    pub count: i64,
}

/// Asks for all groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListGroups;

/// All groups.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Groups {
    /// They.
    pub groups: Vec<Group>,
}

/// Asks in which group a user is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupOfUser {
    /// The user.
    pub openid: OpenId,
}

/// The group of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct GroupId {
    /// Its number.
    pub groupid: i64,
}

/// Gives a group another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenameGroup {
    group: Named,
}

impl RenameGroup {
    /// This group is called so from now on.
    pub fn new(id: i64, name: impl Into<String>) -> Self {
        let (id, name) = (Some(id), name.into());
        Self {
            group: Named { id, name },
        }
    }
}

/// Moves a user into a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveUser {
    /// The user.
    pub openid: OpenId,
    /// The group.
    pub to_groupid: i64,
}

/// Moves users into a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveUsers {
    /// The users: at most [`MAX_USERS`].
    pub openid_list: Vec<OpenId>,
    /// The group.
    pub to_groupid: i64,
}

/// Takes a group away; its users are then in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeleteGroup {
    group: Numbered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Numbered {
    id: i64,
}

impl DeleteGroup {
    /// This group.
    pub const fn new(id: i64) -> Self {
        Self {
            group: Numbered { id },
        }
    }
}
