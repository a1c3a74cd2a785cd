package deployd;

import any.ActionPlugin;
import any.BytesRestResponse;
import any.IndexSettingProvider;
import any.Plugin;
import any.RestChannel;
import any.RestHandler;
import any.RestRequest;
import any.RestStatus;
import any.Settings;
import any.ThreadContext;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AccessController;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.PrivilegedAction;
import java.security.PrivilegedActionException;
import java.security.PrivilegedExceptionAction;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * What a single node needs that the open engines leave to others: indexes without copies, unless they ask for some, and
 * a user and a password where the service wants them.
 *
 * Users stand in a file, in lines of a name and the SHA-256 of "name:password". It is read at each request, so that a
 * new one counts at once; without it nobody comes in. Other ways in than HTTP end at the container's own loopback.
 */
public final class DeploydPlugin extends Plugin implements ActionPlugin {
    private static final boolean REQUIRED = "required".equals(System.getenv("SEARCH_AUTHENTICATION"));
    private static final Path USERS = Path.of(String.valueOf(System.getenv("SEARCH_USERS")));
    private static final String BASIC = "Basic ";

    @Override
    public UnaryOperator<RestHandler> getRestHandlerWrapper(ThreadContext context) {
        return REQUIRED ? DeploydPlugin::guarded : null;
    }

    @Override
    public Collection<IndexSettingProvider> getAdditionalIndexSettingProviders() {
        return List.of(new IndexSettingProvider() {
            @Override
            public Settings getAdditionalIndexSettings(String index, boolean ofStream, Settings asked) {
                boolean said = asked.hasValue("index.number_of_replicas") || asked.hasValue("index.auto_expand_replicas");
                return said ? Settings.EMPTY : Settings.builder().put("index.number_of_replicas", 0).build();
            }
        });
    }

    /** Where the engine has a security manager, this jar may do what those who call it may not. */
    private static RestHandler guarded(RestHandler handler) {
        return AccessController.doPrivileged((PrivilegedAction<RestHandler>) () -> proxy(handler));
    }

    /** A proxy, because what a handler has beside handleRequest differs from version to version. */
    private static RestHandler proxy(RestHandler handler) {
        return (RestHandler) Proxy.newProxyInstance(
            RestHandler.class.getClassLoader(), new Class<?>[] { RestHandler.class }, (proxy, method, arguments) -> {
                if (method.getName().equals("handleRequest") && !mayComeIn((RestRequest) arguments[0])) {
                    refuse((RestChannel) arguments[1]);
                    return null;
                }
                try {
                    return method.invoke(handler, arguments);
                } catch (InvocationTargetException error) {
                    throw error.getCause();
                }
            }
        );
    }

    private static boolean mayComeIn(RestRequest request) throws PrivilegedActionException {
        return AccessController.doPrivileged((PrivilegedExceptionAction<Boolean>) () -> admitted(request));
    }

    private static boolean admitted(RestRequest request) throws IOException, GeneralSecurityException {
        String header = request.header("Authorization");
        if (header == null || !header.regionMatches(true, 0, BASIC, 0, BASIC.length()) || !Files.exists(USERS)) {
            return false;
        }
        byte[] login;
        try {
            login = Base64.getDecoder().decode(header.substring(BASIC.length()).trim());
        } catch (IllegalArgumentException error) {
            return false;
        }
        byte[] asked = hex(MessageDigest.getInstance("SHA-256").digest(login)).getBytes(StandardCharsets.US_ASCII);
        boolean found = false;
        for (String line : Files.readAllLines(USERS)) {
            String hash = line.substring(line.lastIndexOf(' ') + 1);
            found |= MessageDigest.isEqual(asked, hash.getBytes(StandardCharsets.US_ASCII));
        }
        return found;
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte item : bytes) {
            text.append(String.format("%02x", item));
        }
        return text.toString();
    }

    private static void refuse(RestChannel channel) {
        BytesRestResponse response = new BytesRestResponse(
            RestStatus.UNAUTHORIZED, "application/json; charset=UTF-8",
            "{\"error\":\"this search asks for the user and password of its relationship\",\"status\":401}"
        );
        response.addHeader("WWW-Authenticate", "Basic realm=\"search\", charset=\"UTF-8\"");
        channel.sendResponse(response);
    }
}
