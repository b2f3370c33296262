//! Stores, shaking, Wi-Fi, the small shop, scanned products: products that are gone or closed.

use crate::protocol::push::element::record;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Decimal, Flag, Id, Number};

record! {
    /// A beacon that a phone heard.
    Beacon {
        /// The beacon's owner.
        uuid: String = "Uuid",
        /// Its group.
        major: Number = "Major",
        /// Its number.
        minor: Number = "Minor",
        /// How far away it is, in metres.
        distance: Decimal = "Distance",
        /// How loud it was.
        rssi: Option<Number> = "Rssi" | "RssI",
    }
}

family! {
    "store" "Stores, shaking, Wi-Fi, small shop, scanned products" / "门店、摇一摇周边、连 Wi-Fi、微信小店、扫一扫商品"

    event "poi_check_notify" => PoiCheckNotify (Obsolete, closed, unanswered)
    "A store was reviewed." / "门店审核结果。"
    {
        /// The merchant's own id of the store.
        uniq_id: String = "UniqId",
        /// The platform's.
        poi_id: Id = "PoiId",
        /// `succ` or `fail`.
        result: String = "Result" | "result",
        /// Why.
        msg: String = "Msg" | "msg",
    }

    event "apply_merchant_audit_info" => ApplyMerchantAuditInfo (Obsolete, closed, unanswered)
    "The application for a mini program of stores was reviewed." / "创建门店小程序审核结果。"
    {
        /// The application.
        audit_id: Id = "audit_id",
        /// How it ended.
        status: Number = "status",
        /// Why.
        reason: String = "reason",
    }

    event "create_map_poi_audit_info" => CreateMapPoiAuditInfo (Obsolete, closed, unanswered)
    "A store that was to be added to the map was reviewed." / "腾讯地图新增地点审核结果。"
    {
        /// The application.
        audit_id: Id = "audit_id",
        /// How it ended.
        status: Number = "status",
        /// The store on the map.
        map_poi_id: Id = "map_poi_id",
        /// Its name.
        name: String = "name",
        /// Its address.
        address: String = "address",
        /// Degrees north.
        latitude: Decimal = "latitude",
        /// Degrees east.
        longitude: Decimal = "longitude",
        /// The reviewer's remark.
        sh_remark: String = "sh_remark",
    }

    event "add_store_audit_info" => AddStoreAuditInfo (Obsolete, closed, unanswered)
    "A new store was reviewed." / "新增门店审核结果。"
    {
        /// The application.
        audit_id: Id = "audit_id",
        /// How it ended.
        status: Number = "status",
        /// Why.
        reason: String = "reason",
        /// Whether it replaces an older store.
        is_upgrade: Flag = "is_upgrade",
        /// The store.
        poiid: Id = "poiid",
    }

    event "modify_store_audit_info" => ModifyStoreAuditInfo (Obsolete, closed, unanswered)
    "Changes of a store were reviewed." / "修改门店审核结果。"
    {
        /// The application.
        audit_id: Id = "audit_id",
        /// How it ended.
        status: Number = "status",
        /// Why.
        reason: String = "reason",
    }

    event "add_nearby_poi_audit_info" => AddNearbyPoiAuditInfo (Active, closed, unanswered)
    "A place near which a mini program is shown was reviewed." / "附近小程序地点审核结果。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "nearby_category_audit_info" => NearbyCategoryAuditInfo (Active, closed, unanswered)
    "The category under which a mini program is shown nearby was reviewed." / "附近小程序类目审核结果。"
    /// Nobody documents its fields; they are in `Push::fields`.
    {}

    event "ShakearoundUserShake" => ShakearoundUserShake (Obsolete, closed, unanswered)
    "A user shakes the phone near a beacon." / "用户摇一摇周边。"
    {
        /// The nearest beacon.
        chosen_beacon: Option<Beacon> = "ChosenBeacon",
        /// The others.
        around_beacons: Vec<Beacon> = "AroundBeacons/AroundBeacon",
        /// The page that was shown.
        chosen_page_id: Option<Id> = "ChosenPageId",
    }

    event "ShakearoundLotteryBind" => ShakearoundLotteryBind (Obsolete, closed, unanswered)
    "A user wins money by shaking." / "用户摇一摇领取红包。"
    {
        /// The lottery.
        lottery_id: String = "LotteryId",
        /// The prize.
        ticket: String = "Ticket",
        /// What was won, in fen.
        money: Number = "Money",
        /// When, in Unix seconds.
        bind_time: Number = "BindTime",
    }

    event "WifiConnected" => WifiConnected (Obsolete, closed, unanswered)
    "A user joins a store's Wi-Fi." / "用户连接门店 Wi-Fi 成功。"
    {
        /// When, in Unix seconds.
        connect_time: Number = "ConnectTime",
        /// Until when, in Unix seconds; 0 where it does not end.
        expire_time: Number = "ExpireTime",
        /// Who runs it.
        vendor_id: String = "VendorId",
        /// The store.
        shop_id: Id = "ShopId" | "PlaceId",
        /// The access point's BSSID.
        device_no: String = "DeviceNo",
    }

    event "merchant_order" => MerchantOrder (Obsolete, closed, unanswered)
    "A user pays in the account's small shop." / "微信小店用户付款成功。"
    {
        /// The order.
        order_id: Id = "OrderId",
        /// How it stands.
        order_status: Number = "OrderStatus",
        /// The product.
        product_id: String = "ProductId",
        /// Which variant: `property:value`, several joined by `;`.
        sku_info: String = "SkuInfo",
    }

    event "user_scan_product" => UserScanProduct (Obsolete, closed, unanswered)
    "A user opens a product's page by scanning it." / "用户扫码打开商品主页。"
    {
        /// The kind of code: `ean13` and others.
        key_standard: String = "KeyStandard",
        /// The code.
        key_str: String = "KeyStr",
        /// The user's country.
        country: String = "Country",
        /// The user's province.
        province: String = "Province",
        /// The user's city.
        city: String = "City",
        /// 1: male, 2: female, 0: unknown.
        sex: Number = "Sex",
        /// Where it was opened.
        scene: Number = "Scene",
        /// What the merchant's link added.
        ext_info: String = "ExtInfo",
    }

    event "user_scan_product_enter_session" => UserScanProductEnterSession (Obsolete, closed, unanswered)
    "A user opens the chat from a product's page." / "用户从商品主页进入公众号会话。"
    {
        /// The kind of code: `ean13` and others.
        key_standard: String = "KeyStandard",
        /// The code.
        key_str: String = "KeyStr",
        /// What the merchant's link added.
        ext_info: String = "ExtInfo",
    }

    event "user_scan_product_async" => UserScanProductAsync (Obsolete, closed, unanswered)
    "A user's place, after a product was scanned." / "商品主页地理位置异步推送。"
    {
        /// The kind of code: `ean13` and others.
        key_standard: String = "KeyStandard",
        /// The code.
        key_str: String = "KeyStr",
        /// What the merchant's link added.
        ext_info: String = "ExtInfo",
        /// The user's region.
        region_code: String = "RegionCode",
    }

    event "user_scan_product_verify_action" => UserScanProductVerifyAction (Obsolete, closed, unanswered)
    "A product was reviewed." / "商品审核结果。"
    {
        /// The kind of code: `ean13` and others.
        key_standard: String = "KeyStandard",
        /// The code.
        key_str: String = "KeyStr",
        /// `verify_ok` or `verify_not_pass`.
        result: String = "Result" | "result",
        /// Why.
        reason_msg: String = "ReasonMsg",
    }
}
