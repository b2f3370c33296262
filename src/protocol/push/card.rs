//! Cards and coupons (卡券). Closed to new merchants; cards that are out still push.

use crate::id::OpenId;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Flag, Id, Number};

family! {
    "card" "Cards and coupons" / "卡券"

    event "card_pass_check" => CardPassCheck (Legacy, closed, unanswered)
    "A card passed the platform's review." / "卡券通过审核。"
    {
        /// The card.
        card_id: String = "CardId",
    }

    event "card_not_pass_check" => CardNotPassCheck (Legacy, closed, unanswered)
    "A card did not pass the platform's review." / "卡券未通过审核。"
    {
        /// The card.
        card_id: String = "CardId",
        /// Why.
        refuse_reason: String = "RefuseReason",
    }

    event "user_get_card" => UserGetCard (Legacy, closed, answered)
    "A user gets a card. Several at once are several events of one second." / "用户领取卡券；一次领取多张时同一秒推送多个事件。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
        /// Whether a friend gave it.
        is_give_by_friend: Flag = "IsGiveByFriend",
        /// Who gave it.
        friend_user_name: Option<OpenId> = "FriendUserName",
        /// When a friend gave it: the copy that the friend had.
        old_user_card_code: Option<String> = "OldUserCardCode",
        /// Where it was handed out, as a number that the merchant chose.
        outer_id: Option<Id> = "OuterId",
        /// The same as a text.
        outer_str: Option<String> = "OuterStr",
        /// Whether a member's card came back after it had been deleted.
        is_restore_member_card: Option<Flag> = "IsRestoreMemberCard",
        /// Whether a friend recommended it.
        is_recommend_by_friend: Option<Flag> = "IsRecommendByFriend",
        /// The user across the accounts of one owner.
        union_id: Option<String> = "UnionId",
        /// Where it was found.
        source_scene: Option<String> = "SourceScene",
    }

    event "user_gifting_card" => UserGiftingCard (Legacy, closed, unanswered)
    "A user gives a card away." / "用户转赠卡券。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
        /// Whether it came back, because nobody took it.
        is_return_back: Flag = "IsReturnBack",
        /// Who is to get it.
        friend_user_name: Option<OpenId> = "FriendUserName",
        /// Whether it was given to a group.
        is_chat_room: Flag = "IsChatRoom",
    }

    event "user_del_card" => UserDelCard (Legacy, closed, unanswered)
    "A user deletes a card." / "用户删除卡券。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
    }

    event "user_consume_card" => UserConsumeCard (Legacy, closed, unanswered)
    "A card is redeemed." / "卡券被核销。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
        /// By what: `FROM_API`, `FROM_MP`, `FROM_MOBILE_HELPER`.
        consume_source: String = "ConsumeSource",
        /// The store.
        location_id: Option<Id> = "LocationId",
        /// The store's name.
        location_name: Option<String> = "LocationName",
        /// Who redeemed it.
        staff_open_id: Option<OpenId> = "StaffOpenId",
        /// The code that was checked.
        verify_code: Option<String> = "VerifyCode",
        /// The amount that was noted.
        remark_amount: Option<String> = "RemarkAmount",
        /// Where it was handed out, as a number that the merchant chose.
        outer_id: Option<Id> = "OuterId",
        /// The same as a text.
        outer_str: Option<String> = "OuterStr",
    }

    event "user_pay_from_pay_cell" => UserPayFromPayCell (Legacy, closed, unanswered)
    "A user pays a bill with a card." / "用户用卡券买单。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
        /// The transaction of WeChat Pay.
        trans_id: String = "TransId",
        /// The store.
        location_id: Id = "LocationId",
        /// The store's name.
        location_name: Option<String> = "LocationName",
        /// What was paid, in fen.
        fee: Number = "Fee",
        /// What would have been paid without the card, in fen.
        original_fee: Number = "OriginalFee",
    }

    event "user_view_card" => UserViewCard (Legacy, closed, unanswered)
    "A user opens a member's card." / "用户查看会员卡。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
        /// Where it was handed out, as a number that the merchant chose.
        outer_id: Option<Id> = "OuterId",
        /// The same as a text.
        outer_str: Option<String> = "OuterStr",
    }

    event "user_enter_session_from_card" => UserEnterSessionFromCard (Legacy, closed, answered)
    "A user opens the chat from a card." / "用户从卡券进入公众号会话。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
    }

    event "update_member_card" => UpdateMemberCard (Legacy, closed, unanswered)
    "Points or balance of a member's card changed." / "会员卡积分或余额变动。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
        /// By how many points.
        modify_bonus: Number = "ModifyBonus",
        /// By how much, in fen.
        modify_balance: Number = "ModifyBalance",
    }

    event "card_sku_remind" => CardSkuRemind (Legacy, closed, unanswered)
    "Few copies of a card are left; at most every 12 hours." / "卡券库存报警，最多每 12 小时一次。"
    {
        /// The card.
        card_id: String = "CardId",
        /// The platform's words.
        detail: String = "Detail",
    }

    event "card_pay_order" => CardPayOrder (Legacy, closed, unanswered)
    "The coins (券点) with which cards are paid for changed." / "券点流水变动。"
    {
        /// The order.
        order_id: Id = "OrderId",
        /// `ORDER_STATUS_…`.
        status: String = "Status",
        /// When the order was made, in Unix seconds.
        create_order_time: Number = "CreateOrderTime",
        /// When it was paid, in Unix seconds; 0 when the platform granted the coins.
        pay_finish_time: Number = "PayFinishTime",
        /// How it was paid.
        desc: String = "Desc",
        /// Free coins.
        free_coin_count: Number = "FreeCoinCount",
        /// Paid coins.
        pay_coin_count: Number = "PayCoinCount",
        /// Free coins that came back.
        refund_free_coin_count: Number = "RefundFreeCoinCount",
        /// Paid coins that came back.
        refund_pay_coin_count: Number = "RefundPayCoinCount",
        /// `ORDER_TYPE_SYS_ADD`, `ORDER_TYPE_WXPAY`, `ORDER_TYPE_REFUND`, `ORDER_TYPE_REDUCE`, `ORDER_TYPE_SYS_REDUCE`.
        order_type: String = "OrderType",
        /// A remark.
        memo: String = "Memo",
        /// The invoice.
        receipt_info: String = "ReceiptInfo",
    }

    event "submit_membercard_user_info" => SubmitMembercardUserInfo (Legacy, closed, unanswered)
    "A user fills in the form that activates a member's card." / "用户提交会员卡激活资料。"
    {
        /// The card.
        card_id: String = "CardId",
        /// This copy of it.
        user_card_code: String = "UserCardCode",
    }

    event "giftcard_pay_done" => GiftcardPayDone (Legacy, closed, unanswered)
    "A user pays for gift cards." / "用户购买礼品卡付款成功。"
    {
        /// The page on which they are sold.
        page_id: String = "PageId",
        /// The order.
        order_id: Id = "OrderId",
    }

    event "giftcard_send_to_friend" => GiftcardSendToFriend (Legacy, closed, unanswered)
    "A user gives gift cards to a friend." / "用户购买礼品卡后赠送。"
    {
        /// The page on which they are sold.
        page_id: String = "PageId",
        /// The order.
        order_id: Id = "OrderId",
        /// Whether they were given to a group.
        is_chat_room: Flag = "IsChatRoom",
        /// Whether they came back, because nobody took them.
        is_return_back: Flag = "IsReturnBack",
    }

    event "giftcard_user_accept" => GiftcardUserAccept (Legacy, closed, unanswered)
    "A user takes gift cards that a friend gave." / "用户领取礼品卡。"
    {
        /// The page on which they are sold.
        page_id: String = "PageId",
        /// The order.
        order_id: Id = "OrderId",
        /// Whether they were given to a group.
        is_chat_room: Flag = "IsChatRoom",
    }

    event "card_merchant_check_result" | "card_merchant_auth_check_result" => CardMerchantCheckResult (Legacy, closed, unanswered)
    "The platform reviewed a merchant for whom the account issues cards." / "第三方代制子商户审核结果。"
    {
        /// The merchant.
        merchant_id: Id = "MerchantId",
        /// Whether it passed.
        is_pass: Flag = "IsPass",
        /// Why not.
        reason: Option<String> = "Reason",
    }
}
