/** Whether its host can say how it is: the one that said it, and not a later life, which has yet to connect. */
const isSeen = `exists (select 1 from hosts h where h.name = d.host and h.online
  and (d.reported_generation is null or d.reported_generation = h.generation))`;
/** A status that only holds while its host is there. */
const isLive =
  "(d.status in ('connecting', 'connected') or (d.status = 'error' and d.desired = 'connected'))";
export const shownDeviceStatus = `case when ${isLive} and not ${isSeen} then 'unknown' else d.status end`;

export const shownDeviceReason = `case when ${isLive} and not ${isSeen} then concat('its host "', d.host, '" is not there',
    (select case count(*) when 0 then '' when 1 then '; a command was under way' else
       concat('; ', count(*), ' commands were under way') end
     from device_commands c where c.device_id = d.id and c.state = 'unknown' and c.epoch = d.epoch
       and c.answered_at is null and c.created_at > now() - interval '1 hour' and not c.is_settled))
  else d.status_reason end`;
