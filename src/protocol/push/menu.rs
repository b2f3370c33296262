//! Taps on the custom menu (自定义菜单). Buttons of the types `media_id`, `article_id` and `view_limited`, and
//! opening a sub-menu, push nothing.

use crate::protocol::push::element::record;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Decimal, Id, Number};

record! {
    /// A picture that was sent with a menu button; each also comes as an `image` message, before or after.
    Picture {
        /// MD5 of its bytes, 32 hex digits.
        md5: String = "PicMd5Sum",
    }
}

family! {
    "menu" "Custom menu" / "自定义菜单"

    event "CLICK" => Click (Active, Menu, answered)
    "A user taps a button of type `click`." / "用户点击 click 类型的菜单。"
    {
        /// The button's key. Menus made in the console have generated ones, like `rselfmenu_2_2`.
        key: String = "EventKey",
    }

    event "VIEW" => View (Active, closed, unanswered)
    "A user taps a button that opens a page." / "用户点击跳转网页的菜单。"
    {
        /// Where it leads.
        url: String = "EventKey",
        /// The menu, if there are several for different users.
        menu_id: Option<Id> = "MenuId" | "MenuID",
    }

    event "view_miniprogram" => ViewMiniProgram (Active, closed, unanswered)
    "A user taps a button that opens a mini program." / "用户点击跳转小程序的菜单。"
    {
        /// The page in it.
        path: String = "EventKey",
        /// The menu, if there are several for different users.
        menu_id: Option<Id> = "MenuId" | "MenuID",
    }

    event "scancode_push" => ScanCodePush (Active, Menu, unanswered)
    "A user scans a code with a button of the menu; the client shows what is in it." / "用户用菜单扫码，客户端展示结果。"
    {
        /// The button's key.
        key: String = "EventKey",
        /// `qrcode` or `barcode`.
        scan_type: String = "ScanCodeInfo/ScanType",
        /// What is in the code: anybody's text. Of bar codes with its kind: `EAN_13,6901234567892`.
        scan_result: String = "ScanCodeInfo/ScanResult",
    }

    event "scancode_waitmsg" => ScanCodeWaitMsg (Active, Menu, answered)
    "A user scans a code with a button of the menu; the client shows that it waits for an answer." / "用户用菜单扫码，客户端提示“消息接收中”。"
    {
        /// The button's key.
        key: String = "EventKey",
        /// `qrcode` or `barcode`.
        scan_type: String = "ScanCodeInfo/ScanType",
        /// What is in the code: anybody's text. Of bar codes with its kind: `EAN_13,6901234567892`.
        scan_result: String = "ScanCodeInfo/ScanResult",
    }

    event "pic_sysphoto" => PicSysPhoto (Active, closed, answered)
    "A user takes pictures with a button of the menu." / "用户用菜单拍照发图。"
    {
        /// The button's key.
        key: String = "EventKey",
        /// How many it should be; trust the pictures instead.
        count: Number = "SendPicsInfo/Count",
        /// The pictures; none when the user sent none.
        pictures: Vec<Picture> = "SendPicsInfo/PicList/item",
    }

    event "pic_photo_or_album" => PicPhotoOrAlbum (Active, closed, answered)
    "A user takes or chooses pictures with a button of the menu." / "用户用菜单拍照或从相册发图。"
    {
        /// The button's key.
        key: String = "EventKey",
        /// How many it should be; trust the pictures instead.
        count: Number = "SendPicsInfo/Count",
        /// The pictures; none when the user sent none.
        pictures: Vec<Picture> = "SendPicsInfo/PicList/item",
    }

    event "pic_weixin" => PicWeixin (Active, closed, answered)
    "A user chooses pictures with a button of the menu." / "用户用菜单从微信相册发图。"
    {
        /// The button's key.
        key: String = "EventKey",
        /// How many it should be; trust the pictures instead.
        count: Number = "SendPicsInfo/Count",
        /// The pictures; none when the user sent none.
        pictures: Vec<Picture> = "SendPicsInfo/PicList/item",
    }

    event "location_select" => LocationSelect (Active, closed, answered)
    "A user chooses a place with a button of the menu; a `location` message follows." / "用户用菜单选择位置，随后另有 location 消息。"
    {
        /// The button's key.
        key: String = "EventKey",
        /// Degrees north.
        latitude: Decimal = "SendLocationInfo/Location_X",
        /// Degrees east.
        longitude: Decimal = "SendLocationInfo/Location_Y",
        /// The map's zoom.
        scale: Decimal = "SendLocationInfo/Scale",
        /// What the map calls the place. May begin with a blank.
        label: String = "SendLocationInfo/Label",
        /// The point of interest.
        poi_name: Option<String> = "SendLocationInfo/Poiname" | "SendLocationInfo/PoiName",
    }
}

impl LocationSelect {
    /// Degrees north and degrees east.
    pub fn coordinates(&self) -> Option<(f64, f64)> {
        self.latitude.value().zip(self.longitude.value())
    }
}
